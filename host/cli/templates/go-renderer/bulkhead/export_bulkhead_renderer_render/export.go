// Package export_bulkhead_renderer_render is what the generated exports call.
package export_bulkhead_renderer_render

import (
	"bulkhead.dev/plugin/bulkhead_base_tree"
	"bulkhead.dev/plugin/bulkhead_renderer_types"
	"bulkhead.dev/plugin/render"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Render hands the call to the plugin.
func Render(source *bulkhead_base_tree.Tree, request render.Request) wit_types.Result[render.Output, bulkhead_renderer_types.Error] {
	return render.Call(source, request)
}
