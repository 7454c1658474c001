local team = std.extVar('team');
[
  [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: name, labels: { team: team.name } },
    }
    for name in std.sort(std.parseYaml(std.extVar('input.namespaces')))
  ],
  null,
]
