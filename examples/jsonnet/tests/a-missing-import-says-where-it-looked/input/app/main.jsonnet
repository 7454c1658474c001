{
  web: import 'web.libsonnet',
}
