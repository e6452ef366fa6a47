/** Before each file of tests: what a program took from its settings it keeps as long as it runs, and files share one. */
import { takeSettings } from '../../src/runner/settings.ts';

takeSettings({}, {});
