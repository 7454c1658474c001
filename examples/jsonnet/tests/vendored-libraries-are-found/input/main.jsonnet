local labels = import 'github.com/example/labels/main.libsonnet';
{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web' } } + labels.withTeam('shop')
