// Package example is the configuration that `postern up` starts from: shipped
// in the binary, copied to the state folder once, and then the user's own.
package example

import "embed"

// Files are postern.yaml and policies/*.yaml.
//
//go:embed postern.yaml policies/*.yaml
var Files embed.FS
