{ web: { kind: 'Service', metadata: { name: 'web' } } }
