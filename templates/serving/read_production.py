"""Reads the model in production so that all its files are of one version, also while another is put in its place.

    python read_production.py https://cloud.example.org/remote.php/dav/files/serving/models/diatoms/production FOLDER

Needs nothing but Python 3.9; the account comes from the variables OWNCLOUD_USERNAME and OWNCLOUD_PASSWORD. The folder
must not be there yet: it appears when it is whole.
"""

import base64
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# While production is swapped, a file of it may be missing (404), locked (423) or out of reach (403, of Apache) for a moment;
# servers may be busy.
PASSING = {403, 404, 423, 429, 500, 502, 503, 504}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the password along."""

    def redirect_request(self, *_):
        return None


def read_production(url, username, password, tries=120, pause=1.0):
    """Returns the name of the version and its files, name to bytes; `url` is the WebDAV address of `production`."""
    login = base64.b64encode(f"{username}:{password}".encode()).decode()
    opener = urllib.request.build_opener(NoRedirects)
    opener.addheaders = [("Authorization", f"Basic {login}"), ("Cache-Control", "no-cache")]

    def get(name):
        with opener.open(f"{url.rstrip('/')}/{urllib.parse.quote(name)}", timeout=60) as answer:
            return answer.read()

    problem = "what was read is not one version"
    for _ in range(tries):
        try:
            version = get("VERSION")
            sums = dict(reversed(line.split("  ", 1)) for line in get("SHA256SUMS").decode().splitlines())
            files = {name: get(name) for name in sums}
            whole = all(hashlib.sha256(files[name]).hexdigest() == digest for name, digest in sums.items())
            if whole and get("VERSION") == version:
                return version.decode().strip(), files
        except urllib.error.HTTPError as error:
            if error.code not in PASSING:
                raise
            problem = str(error)
        except (OSError, http.client.HTTPException) as error:  # A connection that broke.
            problem = str(error)
        time.sleep(pause)
    raise RuntimeError(f"{url} did not give one whole version in {tries} tries: {problem}")


if __name__ == "__main__":
    address, folder = sys.argv[1:]
    name, content = read_production(address, os.environ["OWNCLOUD_USERNAME"], os.environ["OWNCLOUD_PASSWORD"])
    half = f"{folder}.part-{os.getpid()}"
    os.makedirs(half)
    for file, data in content.items():
        with open(os.path.join(half, file), "wb") as target:
            target.write(data)
    os.rename(half, folder)
    print(name)
