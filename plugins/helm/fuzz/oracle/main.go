// Renders charts with Helm's own engine, for the fuzzer of the helm renderer.
//
// Each line of stdin is a case, {"files": {path: text}, "set": [...]}; each line of stdout its
// answer, {"texts": {template: base64}} or {"error": text}. A case with "whole" is what the command
// `helm template` makes of it, one text by the name "out". One process renders thousands of charts
// a second, which the program itself cannot.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/engine"
)

// bom is what the loader of folders takes off the start of each file.
var bom = []byte{0xEF, 0xBB, 0xBF}

type request struct {
	Files      map[string]string `json:"files"`
	Set        []string          `json:"set"`
	SetString  []string          `json:"set-string"`
	SetJSON    []string          `json:"set-json"`
	SetLiteral []string          `json:"set-literal"`
	Values     []string          `json:"values"`
	Flags      []string          `json:"flags"`
	Whole      bool              `json:"whole"`
}

type answer struct {
	Texts map[string][]byte `json:"texts,omitempty"`
	Error string            `json:"error,omitempty"`
}

func render(r request) (texts map[string]string, err error) {
	defer func() {
		if told := recover(); told != nil {
			err = fmt.Errorf("panic: %v", told)
		}
	}()
	flags := values.Options{JSONValues: r.SetJSON, Values: r.Set, StringValues: r.SetString, LiteralValues: r.SetLiteral}
	user, err := flags.MergeValues(nil)
	if err != nil {
		return nil, err
	}
	files := make([]*archive.BufferedFile, 0, len(r.Files))
	for name, text := range r.Files {
		files = append(files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix([]byte(text), bom)})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(chart, user); err != nil {
		return nil, fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	options := common.ReleaseOptions{Name: "r", Namespace: "default", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(chart, user, options, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, top)
}

func answered(r request) (map[string]string, error) {
	if r.Whole {
		return whole(r)
	}
	return render(r)
}

// whole runs `helm template` on the chart, laid in a folder.
func whole(r request) (texts map[string]string, err error) {
	defer func() {
		if told := recover(); told != nil {
			err = fmt.Errorf("panic: %v", told)
		}
	}()
	folder, err := os.MkdirTemp(os.Getenv("FUZZ_FOLDER"), "chart")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	args := []string{"template", "r", filepath.Join(folder, "c"), "--namespace", "ns"}
	lay := func(name, text string) error {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}
	for name, text := range r.Files {
		if err := lay(filepath.Join("c", name), text); err != nil {
			return nil, err
		}
	}
	for at, text := range r.Values {
		name := fmt.Sprintf("values%d.yaml", at)
		if err := lay(name, text); err != nil {
			return nil, err
		}
		args = append(args, "--values", filepath.Join(folder, name))
	}
	for _, known := range []struct {
		flag  string
		texts []string
	}{{"--set", r.Set}, {"--set-string", r.SetString}, {"--set-json", r.SetJSON}, {"--set-literal", r.SetLiteral}} {
		for _, text := range known.texts {
			args = append(args, known.flag+"="+text)
		}
	}
	args = append(args, r.Flags...)
	var out bytes.Buffer
	command, err := cmd.NewRootCmd(&out, args, func(bool) {})
	if err != nil {
		return nil, err
	}
	command.SetArgs(args)
	command.SetOut(&out)
	command.SetErr(io.Discard)
	if err := command.Execute(); err != nil {
		return nil, err
	}
	return map[string]string{"out": out.String()}, nil
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout, os.Stderr = null, null // Warnings are printed to them.
	}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		var a answer
		if err := json.Unmarshal(line, &r); err != nil {
			a.Error = "case: " + err.Error()
		} else if texts, err := answered(r); err != nil {
			a.Error = err.Error()
		} else {
			a.Texts = map[string][]byte{}
			for name, text := range texts {
				a.Texts[name] = []byte(text)
			}
		}
		told, err := json.Marshal(a)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Write(append(told, '\n'))
		out.Flush()
	}
}
