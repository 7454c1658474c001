import { App, Chart } from 'cdk8s';
import { port } from './port';

const app = new App();
const chart: Chart = new Chart(app, 'web');
console.log('port', port(80), chart.node.id);
app.synth();
