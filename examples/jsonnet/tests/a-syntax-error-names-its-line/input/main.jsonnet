{
  apiVersion: 'v1'
  kind: 'Service',
}
