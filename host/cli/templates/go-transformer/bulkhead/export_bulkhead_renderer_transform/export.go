// Package export_bulkhead_renderer_transform is what the generated exports call.
package export_bulkhead_renderer_transform

import (
	"bulkhead.dev/plugin/bulkhead_renderer_types"
	"bulkhead.dev/plugin/transform"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Transform hands the call to the plugin.
func Transform(request transform.Request) wit_types.Result[transform.Output, bulkhead_renderer_types.Error] {
	return transform.Call(request)
}
