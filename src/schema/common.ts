import { whyUnsafeName } from '../dataset/safe-name.ts';
import { type Kind, ofRun, secret, text } from './kinds.ts';

const SHA256 = /^[0-9a-f]{64}$/i;

/** A role at Amazon, by its ARN. */
export const ROLE_ARN = /^arn:[\w-]+:iam::\d+:role\/\S+$/;

/** What an action gets of the settings, beside its other inputs. */
export const PART = { settings: ofRun(text()), 'settings-keys': ofRun(text()) };

/** The account of the data sets, which several actions have. */
export const OWNCLOUD = {
  'owncloud-url': text({ pattern: /^https?:\/\/\S+$/, allowed: 'an address such as https://cloud.example.org' }),
  'owncloud-username': text(),
  'owncloud-password': secret('OWNCLOUD_PASSWORD'),
};

export function sha256(): Kind {
  return text({ pattern: SHA256, allowed: 'a SHA-256 of 64 hexadecimal digits' });
}

export function safeName(fallback = ''): Kind {
  return text({
    fallback,
    accepts: (name) => whyUnsafeName(name) === undefined,
    allowed: 'a safe name for a file: without / \\ : * ? " < > |, no space at its ends, no dot at its end',
  });
}

/** A folder on a server. */
export function folder(fallback = ''): Kind {
  return text({
    fallback,
    accepts: (value) =>
      value
        .replace(/^\/+|\/+$/g, '')
        .split('/')
        .every((part) => value.replaceAll('/', '') === '' || whyUnsafeName(part) === undefined),
    allowed: 'a folder such as data/sets, each part of it a safe name',
  });
}
