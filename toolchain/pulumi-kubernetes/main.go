// The Pulumi Kubernetes provider as a program of its own: its release links a generated schema, which
// only code generation reads and the module does not carry.
package main

import "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"

var version = "0.0.0" // stamped by the linker

func main() {
	provider.Serve("kubernetes", version, []byte("{}"), []byte("{}"))
}
