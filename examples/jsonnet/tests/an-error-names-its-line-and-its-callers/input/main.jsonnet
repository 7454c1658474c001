local ports = import 'ports.libsonnet';
{
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { ports: [{ port: ports.check(80) }] },
}
