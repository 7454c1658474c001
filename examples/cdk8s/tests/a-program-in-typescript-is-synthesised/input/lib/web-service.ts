import { ApiObject, Chart, ChartProps, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';

export interface WebServiceProps extends ChartProps {
  readonly image: string;
  readonly replicas?: number;
}

/** A Deployment, and the Service in front of it. */
export class WebService extends Chart {
  public readonly deployment: ApiObject;

  constructor(scope: Construct, id: string, props: WebServiceProps) {
    super(scope, id, { labels: { app: id }, ...props });
    const { image, replicas = 1 } = props;

    const service = new ApiObject(this, 'service', {
      apiVersion: 'v1',
      kind: 'Service',
      spec: { selector: { app: id }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    this.deployment = new ApiObject(this, 'deployment', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      spec: {
        replicas,
        selector: { matchLabels: { app: id } },
        template: {
          metadata: { labels: { app: id } },
          spec: { containers: [{ name: id, image }] },
        },
      },
    });
    this.deployment.addJsonPatch(JsonPatch.add('/metadata/annotations', { service: service.name }));
    // Objects come in the order of their dependencies.
    service.addDependency(this.deployment);
  }
}
