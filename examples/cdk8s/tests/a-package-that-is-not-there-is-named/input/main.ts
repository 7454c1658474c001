import { App } from 'cdk8s';
import { merge } from 'lodash';

new App(merge({})).synth();
