// Package render is what a renderer needs: its request, the files, and Export.
package render

import (
	"errors"
	"fmt"

	"bulkhead.dev/plugin/bulkhead_base_tree"
	"bulkhead.dev/plugin/bulkhead_base_types"
	"bulkhead.dev/plugin/bulkhead_renderer_render"
	"bulkhead.dev/plugin/bulkhead_renderer_types"
	"bulkhead.dev/plugin/diagnostic"
	"go.bytecodealliance.org/pkg/wit/types"
)

type (
	// Request says what to render: Path, Config (JSON), Inputs, Target.
	Request = bulkhead_renderer_render.Request
	// Output is what a renderer returns.
	Output = bulkhead_renderer_types.Output
	// Document is a YAML or JSON text.
	Document = bulkhead_renderer_types.Document
	// Entry is a file or directory.
	Entry = bulkhead_base_tree.Entry
)

// Renderer turns files into objects. Its answer may depend on its arguments and on what it reads.
type Renderer func(files Files, request Request) (Output, error)

var exported Renderer

// Export makes renderer the plugin. Call it from an init function.
func Export(renderer Renderer) { exported = renderer }

// FromFile is a document that names the file it came from.
func FromFile(path, text string) Document {
	origin := bulkhead_base_types.Location{Path: path}
	return Document{Text: text, Origin: wit_types.Some(origin)}
}

// Files are what the renderer may read. Paths are relative to the root of the source.
type Files struct {
	tree *bulkhead_base_tree.Tree
}

// ReadError says which path could not be read, and why.
type ReadError struct {
	Path string
	Why  string
	// NotFound tells that nothing is there.
	NotFound bool
}

func (e *ReadError) Error() string { return fmt.Sprintf("failed to read `%s`: %s", e.Path, e.Why) }

// Read returns a whole file.
func (f Files) Read(path string) ([]byte, error) { return answer(path, f.tree.Read(path)) }

// ReadDir lists a directory, sorted.
func (f Files) ReadDir(path string) ([]Entry, error) { return answer(path, f.tree.ReadDir(path)) }

// Glob lists the files that match: `*`, `?` and `[…]` inside a part, `**` for any number of parts.
func (f Files) Glob(pattern string) ([]Entry, error) { return answer(pattern, f.tree.Glob(pattern)) }

// Stat tells what a path names.
func (f Files) Stat(path string) (Entry, error) { return answer(path, f.tree.Stat(path)) }

func answer[T any](path string, result wit_types.Result[T, bulkhead_base_tree.Error]) (T, error) {
	if result.IsOk() {
		return result.Ok(), nil
	}
	var none T
	return none, readError(path, result.Err())
}

func readError(path string, cause bulkhead_base_tree.Error) *ReadError {
	switch cause.Tag() {
	case bulkhead_base_tree.ErrorNotFound:
		return &ReadError{path, "no such file or directory", true}
	case bulkhead_base_tree.ErrorNotAFile:
		return &ReadError{path, "it is a directory", false}
	case bulkhead_base_tree.ErrorNotADirectory:
		return &ReadError{path, "it is not a directory", false}
	case bulkhead_base_tree.ErrorTooLarge:
		limit := fmt.Sprintf("it is larger than the limit of %d bytes", cause.TooLarge())
		return &ReadError{path, limit, false}
	case bulkhead_base_tree.ErrorInvalidPath:
		return &ReadError{path, "the path leaves the source", false}
	case bulkhead_base_tree.ErrorDenied:
		return &ReadError{path, "the plugin was not granted this file", false}
	default:
		return &ReadError{path, cause.Other(), false}
	}
}

// Call answers the host: it runs the exported renderer and gives the borrowed tree back.
func Call(tree *bulkhead_base_tree.Tree, request Request) wit_types.Result[Output, bulkhead_renderer_types.Error] {
	defer tree.Drop()
	if exported == nil {
		return failed(bulkhead_renderer_types.MakeErrorFailed("the plugin calls render.Export nowhere"))
	}
	output, err := exported(Files{tree}, request)
	var invalid diagnostic.Invalid
	var unread *ReadError
	switch {
	case err == nil:
		return wit_types.Ok[Output, bulkhead_renderer_types.Error](output)
	case errors.As(err, &invalid):
		return failed(bulkhead_renderer_types.MakeErrorInvalid(invalid))
	case errors.As(err, &unread):
		wrong := diagnostic.Error("ReadFailed", err.Error(), unread.Path, 0, "")
		return failed(bulkhead_renderer_types.MakeErrorInvalid([]diagnostic.Diagnostic{wrong}))
	default:
		return failed(bulkhead_renderer_types.MakeErrorFailed(err.Error()))
	}
}

func failed(err bulkhead_renderer_types.Error) wit_types.Result[Output, bulkhead_renderer_types.Error] {
	return wit_types.Err[Output, bulkhead_renderer_types.Error](err)
}
