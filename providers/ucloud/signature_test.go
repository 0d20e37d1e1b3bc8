package ucloud

import "testing"

// The vendor's published vectors, and one for the action that is used here.
func TestSignature(t *testing.T) {
	const (
		public  = "ucloudsomeone@example.com1296235120854146120"
		private = "46f09bb9fab4f12dfc160dae12273d5332b5debe"
	)
	for _, test := range []struct {
		params map[string]string
		want   string
	}{
		{map[string]string{"Action": "DescribeUHostInstance", "Limit": "10", "Region": "cn-bj2"}, "cba5cf5ec4d4233d206b1b54951e3787350a642f"},
		{map[string]string{
			"Action": "CreateUHostInstance", "CPU": "2", "ChargeType": "Month", "DiskSpace": "10",
			"ImageId": "f43736e1-65a5-4bea-ad2e-8a46e18883c2", "LoginMode": "Password", "Memory": "2048", "Name": "Host01",
			"Password": "VUNsb3VkLmNu", "Quantity": "1", "Region": "cn-bj2", "Zone": "cn-bj2-04",
		}, "4f9ef5df2abab2c6fccd1e9515cb7e2df8c6bb65"},
		{map[string]string{"Action": "PullUSMSReport", "Limit": "100", "ProjectId": "org-abc"}, "d41dc6595386ebc4298e6c0675dd26938d1caa53"},
	} {
		test.params["PublicKey"] = public
		test.params["Empty"] = "" // neither sent nor signed
		if got := signature(test.params, private); got != test.want {
			t.Errorf("%s: %s, want %s", test.params["Action"], got, test.want)
		}
	}
}
