local app = import 'app.libsonnet';
local sizes = import 'sizes.json';
local target = std.extVar('target');

function(environment)
  local name = 'web-' + environment;
  app.new(name, 'registry.example.com/web:1.4.2', replicas=sizes[environment]) + {
    settings: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: name, namespace: target.namespace },
      data: { environment: environment, motd: importstr 'motd.txt' },
    },
    debug: if environment == 'dev' then {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: name + '-debug' },
    },
  }
