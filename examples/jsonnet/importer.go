package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"bulkhead.dev/plugin/render"
	"github.com/google/go-jsonnet"
)

// importer reads what a file imports: from the file's own folder, then from each library. The host
// notes every access, misses too: a render is repeated only when one would answer differently.
type importer struct {
	files     render.Files
	libraries []string
	// known keeps contents by path: Jsonnet wants the same every time. A nil entry is a miss.
	known map[string]*jsonnet.Contents
}

func newImporter(files render.Files, libraries []string) *importer {
	return &importer{files: files, libraries: libraries, known: map[string]*jsonnet.Contents{}}
}

// Import implements jsonnet.Importer.
func (i *importer) Import(importedFrom, importedPath string) (jsonnet.Contents, string, error) {
	folders := append([]string{path.Dir(importedFrom)}, i.libraries...)
	if importedFrom == "" { // The file that was asked for.
		folders = []string{""}
	}
	for _, folder := range folders {
		at := path.Join(folder, importedPath)
		contents, err := i.read(at)
		if err != nil {
			return jsonnet.Contents{}, "", err
		}
		if contents != nil {
			return *contents, at, nil
		}
	}
	if importedFrom == "" {
		return jsonnet.Contents{}, "", &missing{importedPath}
	}
	looked := strings.Join(folders, "`, `")
	return jsonnet.Contents{}, "", fmt.Errorf("`%s` is in none of `%s`", importedPath, looked)
}

// read returns nil where nothing is.
func (i *importer) read(at string) (*jsonnet.Contents, error) {
	if contents, ok := i.known[at]; ok {
		return contents, nil
	}
	bytes, err := i.files.Read(at)
	var unread *render.ReadError
	if errors.As(err, &unread) && unread.NotFound {
		i.known[at] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	contents := jsonnet.MakeContentsRaw(bytes)
	i.known[at] = &contents
	return &contents, nil
}
