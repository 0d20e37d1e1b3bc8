package functions

import (
	"errors"
	"math/big"
	"net"
	"strings"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// parsePrefix reads an address prefix. Go refuses zeros before an octet;
// Terraform reads the octet as decimal, and configurations have them.
func parsePrefix(text string) (*net.IPNet, error) {
	address, length, _ := strings.Cut(text, "/")
	octets := strings.Split(address, ".")
	for i, octet := range octets {
		if trimmed := strings.TrimLeft(octet, "0"); trimmed != octet && len(octets) == 4 {
			octets[i] = trimmed
			if trimmed == "" {
				octets[i] = "0"
			}
		}
	}
	_, network, err := net.ParseCIDR(strings.Join(octets, ".") + "/" + length)
	if err != nil {
		return nil, function.NewArgErrorf(0, "invalid CIDR expression: invalid CIDR address: %s", text)
	}
	return network, nil
}

// whole is an argument that must be a whole number.
func whole(arg int, v cty.Value) (*big.Int, error) {
	n, accuracy := v.AsBigFloat().Int(nil)
	if accuracy != big.Exact {
		return nil, function.NewArgErrorf(arg, "it is not a whole number")
	}
	return n, nil
}

// bits is an argument that says by how many bits a prefix is extended.
func bits(arg int, v cty.Value) (int, error) {
	n, err := whole(arg, v)
	switch {
	case err != nil:
		return 0, err
	case !n.IsInt64() || n.Int64() < -128 || n.Int64() > 128:
		return 0, function.NewArgErrorf(arg, "an address has 128 bits at most")
	}
	return int(n.Int64()), nil
}

var cidrHostFunc = function.New(&function.Spec{
	Description: "Gives the n-th address of a prefix; a negative n counts from its end.",
	Params:      []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "hostnum", Type: cty.Number}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		n, err := whole(1, args[1])
		if err != nil {
			return cty.NilVal, err
		}
		ip, err := cidr.HostBig(network, n)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(ip.String()), nil
	},
})

var cidrNetmaskFunc = function.New(&function.Spec{
	Description: "Gives the netmask of an IPv4 prefix.",
	Params:      []function.Parameter{{Name: "prefix", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		if network.IP.To4() == nil {
			return cty.NilVal, function.NewArgErrorf(0, "only IPv4 has netmasks, and this is IPv6: %s", args[0].AsString())
		}
		return cty.StringVal(net.IP(network.Mask).String()), nil
	},
})

var cidrSubnetFunc = function.New(&function.Spec{
	Description: "Extends a prefix by some bits and gives the n-th subnet.",
	Params:      []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		extended, err := bits(1, args[1])
		if err != nil {
			return cty.NilVal, err
		}
		n, err := whole(2, args[2])
		if err != nil {
			return cty.NilVal, err
		}
		subnet, err := cidr.SubnetBig(network, extended, n)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(subnet.String()), nil
	},
})

var cidrSubnetsFunc = function.New(&function.Spec{
	Description: "Lays out consecutive subnets in a prefix, each of its own length.",
	Params:      []function.Parameter{{Name: "prefix", Type: cty.String}},
	VarParam:    &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:        function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		network, err := parsePrefix(args[0].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		if len(args) == 1 {
			return cty.ListValEmpty(cty.String), nil
		}
		start, most := network.Mask.Size()
		subnets := make([]cty.Value, 0, len(args)-1)
		var last *net.IPNet
		for i, arg := range args[1:] {
			extended, err := bits(i+1, arg)
			switch {
			case err != nil:
				return cty.NilVal, err
			case extended < 1:
				return cty.NilVal, function.NewArgErrorf(i+1, "a subnet has at least one more bit than its network")
			case extended > 32: // as in Terraform, where a subnet's number has 32 bits
				return cty.NilVal, function.NewArgErrorf(i+1, "a subnet has at most 32 more bits than its network")
			case start+extended > most:
				return cty.NilVal, function.NewArgErrorf(i+1, "the prefix of the subnet would have %d bits, and an address has %d", start+extended, most)
			}
			if last == nil {
				last, _ = cidr.PreviousSubnet(network, start+extended)
			}
			next, rolledOver := cidr.NextSubnet(last, start+extended)
			if rolledOver || !network.Contains(next.IP) {
				return cty.NilVal, function.NewArgError(i+1, errors.New("the network has no room left for this subnet"))
			}
			last = next
			subnets = append(subnets, cty.StringVal(next.String()))
		}
		return cty.ListVal(subnets), nil
	},
})
