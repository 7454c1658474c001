import { App, Chart } from 'cdk8s';

new Chart(new App(), 'web');
