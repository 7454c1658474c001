//! YAML as Go reads and writes it: a port of libyaml's events, go-yaml v3 nodes, and sigs.k8s.io/yaml.
