import { App } from 'cdk8s';
import { target, values } from 'bulkhead';
import { WebService } from './lib/web-service';

const app = new App();
for (const [name, settings] of Object.entries(values.services as Record<string, { replicas?: number }>)) {
  new WebService(app, name, {
    image: `registry.example.com/${name}:1.4.2`,
    namespace: target.namespace,
    ...settings,
  });
}
app.synth();
