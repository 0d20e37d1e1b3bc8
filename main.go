// Waybill keeps a company's delivery records in step with its messaging vendors.
package main

import (
	"os"

	"github.com/waybill-dev/waybill/cli"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
	"github.com/waybill-dev/waybill/providers/itniotech"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/providers/ucloud"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], catalog()))
}

// catalog is every vendor that this program knows. Another one is a package
// under providers/ and a line here.
func catalog() []*providers.Definition {
	return []*providers.Definition{
		globfax.Definition(),
		itniotech.Definition(),
		nxcloud.Definition(),
		ucloud.Definition(),
	}
}
