{{ define "lib.labels" }}labels: {app: {{ .Release.Name }}}{{ end }}{{ define "lib.name" -}} {{ .n | upper }} {{- end }}{{ define "lib.block" }}
block: [1]
{{ end }}