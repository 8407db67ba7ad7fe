// SPDX-License-Identifier: Apache-2.0

// etcd, unmodified, as a tool of our tests.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
