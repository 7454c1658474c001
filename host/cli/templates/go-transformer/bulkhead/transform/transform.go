// Package transform is what a transformer needs: its request and Export.
package transform

import (
	"errors"

	"bulkhead.dev/plugin/bulkhead_renderer_transform"
	"bulkhead.dev/plugin/bulkhead_renderer_types"
	"bulkhead.dev/plugin/diagnostic"
	"go.bytecodealliance.org/pkg/wit/types"
)

type (
	// Request says what to transform: Documents, Config (JSON), Target.
	Request = bulkhead_renderer_transform.Request
	// Output is what a transformer returns: what is not in it is not applied.
	Output = bulkhead_renderer_types.Output
	// Document is one object, as JSON.
	Document = bulkhead_renderer_types.Document
)

// Transformer changes objects. Its answer may depend on its argument, and on nothing else.
type Transformer func(request Request) (Output, error)

var exported Transformer

// Export makes transformer the plugin. Call it from an init function.
func Export(transformer Transformer) { exported = transformer }

// Call answers the host.
func Call(request Request) wit_types.Result[Output, bulkhead_renderer_types.Error] {
	if exported == nil {
		return failed(bulkhead_renderer_types.MakeErrorFailed("the plugin calls transform.Export nowhere"))
	}
	output, err := exported(request)
	var invalid diagnostic.Invalid
	switch {
	case err == nil:
		return wit_types.Ok[Output, bulkhead_renderer_types.Error](output)
	case errors.As(err, &invalid):
		return failed(bulkhead_renderer_types.MakeErrorInvalid(invalid))
	default:
		return failed(bulkhead_renderer_types.MakeErrorFailed(err.Error()))
	}
}

func failed(err bulkhead_renderer_types.Error) wit_types.Result[Output, bulkhead_renderer_types.Error] {
	return wit_types.Err[Output, bulkhead_renderer_types.Error](err)
}
