// What every application of this repository is: a Deployment and a Service.
{
  new(name, image, replicas=1, port=8080):: {
    local labels = { app: name },
    deployment: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: name, labels: labels },
      spec: {
        replicas: replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: labels },
          spec: {
            containers: [{
              name: name,
              image: image,
              ports: [{ containerPort: port }],
            }],
          },
        },
      },
    },
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: name, labels: labels },
      spec: { selector: labels, ports: [{ port: 80, targetPort: port }] },
    },
  },
}
