import { expect, test } from 'vitest';
import { proxyFor } from '../../src/runner/proxy.ts';
import { setEnvironment } from '../helpers/runner.ts';

const NONE = {
  http_proxy: undefined,
  HTTP_PROXY: undefined,
  https_proxy: undefined,
  HTTPS_PROXY: undefined,
  no_proxy: undefined,
  NO_PROXY: undefined,
};

function proxyOf(address: string): string | undefined {
  return proxyFor(new URL(address))?.href;
}

test('the proxy follows from the scheme of the address, with its user and password', () => {
  setEnvironment({
    ...NONE,
    https_proxy: 'http://me:secret@proxy.example.org:3128',
    HTTP_PROXY: 'http://plain.example.org:8080',
  });
  expect(proxyOf('https://cloud.example.org/x')).toBe('http://me:secret@proxy.example.org:3128/');
  expect(proxyOf('http://cloud.example.org/x')).toBe('http://plain.example.org:8080/');
});

test('no_proxy and loopback addresses are reached directly', () => {
  setEnvironment({
    ...NONE,
    https_proxy: 'http://proxy:1',
    http_proxy: 'http://proxy:1',
    no_proxy: 'intern.example.org,.local',
  });
  for (const address of [
    'https://intern.example.org/x',
    'https://a.intern.example.org',
    'https://cloud.local',
    'http://127.0.0.1:8080',
    'http://localhost',
  ]) {
    expect(proxyOf(address)).toBeUndefined();
  }
  expect(proxyOf('https://cloud.example.org')).toBe('http://proxy:1/');
});

test('without variables there is none', () => {
  setEnvironment(NONE);
  expect(proxyOf('https://cloud.example.org')).toBeUndefined();
});
