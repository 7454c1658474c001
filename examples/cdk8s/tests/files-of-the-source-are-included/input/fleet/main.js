const fs = require('fs');
const path = require('node:path');
const { App, ApiObject, Chart, Include } = require('cdk8s');
const sizes = require('./sizes.json');

const app = new App({ outdir: process.env.OUT });
const chart = new Chart(app, 'settings');
new Include(chart, 'base', { url: '../base/namespace.yaml' });
new ApiObject(chart, 'config', {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings' },
  data: { motd: fs.readFileSync(path.join(__dirname, 'motd.txt'), 'utf8'), size: sizes[process.env.STAGE] },
});
app.synth();
