"""Whether sign-in and reset tell who exists: the same wrong try for a person and for nobody, over and over, in a random order.

Answers must have the same status, headers and length. Their times must not differ by a millisecond; and to show that one would
be found, a third series is held up by a millisecond on its way. Nothing is averaged away: the means are compared after the same
share of the slowest tries (the machine's doing) is taken from each, by a Yuen-Welch interval.

It reads LOCKSTEP_TEST_SETTING (JSON), gives the person a password by a link, and prints one line of JSON for each page. Many addresses of loopback take turns, since each has
a limit of wrong tries.
"""

import http.client
import json
import math
import os
import random
import statistics
import sys
import time
import urllib.parse

TRIM = 0.1
# The quantile of 99.9 % of a normal distribution; the series have thousands of degrees of freedom.
QUANTILE = 3.29
MILLISECOND = 1e-3
TRIES_AN_ADDRESS = 300


class Browser:
    """Connections from one address after another, and the cookie and token of a form."""

    def __init__(self, setting, path):
        self.host, self.port, self.path = setting["host"], setting["port"], path
        self.origin = f"http://{self.host}:{self.port}"
        self.number, self.tries = 0, 0
        self.renew()

    def renew(self):
        self.number, self.tries = self.number + 1, 0
        source = f"127.0.{1 + self.number // 250}.{1 + self.number % 250}"
        self.connection = http.client.HTTPConnection(self.host, self.port, source_address=(source, 0))
        self.connection.request("GET", self.path)
        answer = self.connection.getresponse()
        page = answer.read().decode()
        self.cookie = answer.getheader("set-cookie").split(";")[0]
        self.token = page.split('name="form_token" value="')[1].split('"')[0]

    def send(self, fields, held_up=0.0):
        """Sends the form. Gives the seconds, and everything of the answer that is always the same."""
        self.tries += 1
        if self.tries > TRIES_AN_ADDRESS:
            self.renew()
        body = urllib.parse.urlencode({"form_token": self.token, **fields}).encode()
        connection = self.connection
        connection.putrequest("POST", self.path)
        for name, value in [
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", str(len(body))),
            ("cookie", self.cookie),
            ("origin", self.origin),
        ]:
            connection.putheader(name, value)
        began = time.perf_counter()
        connection.endheaders()
        until = time.perf_counter() + held_up
        while time.perf_counter() < until:
            pass
        connection.send(body)
        answer = connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - began
        changing = {"date", "slpt-request-id", "x-request-id", "set-cookie"}
        headers = tuple(sorted((n.lower(), v) for n, v in answer.getheaders() if n.lower() not in changing))
        return took, (answer.status, headers, len(content)), answer


def trimmed(series):
    """The mean of a series without its slowest and fastest, and the variance of that mean (Yuen 1974)."""
    ordered = sorted(series)
    count = len(ordered)
    cut = int(count * TRIM)
    kept = ordered[cut : count - cut]
    winsorized = [kept[0]] * cut + kept + [kept[-1]] * cut
    variance = statistics.variance(winsorized) * (count - 1) / (len(kept) * (len(kept) - 1))
    return statistics.fmean(kept), variance


def effect(one, other):
    """How much longer one takes, and the interval around that."""
    (mean, variance), (other_mean, other_variance) = trimmed(one), trimmed(other)
    half = QUANTILE * math.sqrt(variance + other_variance)
    return mean - other_mean, half


class SignIn:
    """A wrong password. A person who has tried four times in vain signs in between, so that nothing is locked."""

    path = "/sign-in"

    def __init__(self, setting):
        self.setting, self.browser, self.wrong = setting, Browser(setting, self.path), 0

    def send(self, known, held_up):
        if known:
            if self.wrong == 4:
                person, password = self.setting["person"], self.setting["password"]
                _, told, _ = self.browser.send({"to": "", "user_name": person, "password": password})
                assert told[0] == 303, f"the right password was answered with {told[0]}"
                self.browser.renew()
                self.wrong = 0
            self.wrong += 1
        name = self.setting["person" if known else "nobody"]
        return self.browser.send({"to": "", "user_name": name, "password": "wrong-password"}, held_up)


class Reset:
    """A wrong code. Whoever has used four tries up gets another code, so that there is always one to compare with."""

    path = "/passwordreset"

    def __init__(self, setting):
        self.setting, self.browser, self.wrong = setting, Browser(setting, self.path), 4

    def send(self, known, held_up):
        if known:
            if self.wrong == 4:
                self.draw()
                self.wrong = 0
            self.wrong += 1
        name = self.setting["person" if known else "nobody"]
        return self.browser.send({"user_name": name, "code": "000000"}, held_up)

    def draw(self):
        connection = http.client.HTTPConnection(self.setting["host"], self.setting["port"])
        body = json.dumps({"userId": self.setting["person"], "length": 12})
        headers = {"authorization": f"Bearer {self.setting['token']}", "content-type": "application/json"}
        headers["x-sailpoint-experimental"] = "true"
        connection.request("POST", "/v2024/generate-password-reset-token/digit", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, f"no code was drawn: {answer.status}"
        connection.close()


def measure(page, setting):
    samples, order = setting["samples"], []
    for kind in ("known", "unknown", "held_up"):
        order += [kind] * samples
    random.Random(1).shuffle(order)
    series, seen = {"known": [], "unknown": [], "held_up": []}, set()
    for number, kind in enumerate(order):
        took, told, _ = page.send(kind == "known", MILLISECOND if kind == "held_up" else 0.0)
        series[kind].append(took)
        seen.add(told)
        if number % 5000 == 4999:
            print(f"{page.path}: {number + 1} of {len(order)}", file=sys.stderr)
    difference, half = effect(series["known"], series["unknown"])
    planted, planted_half = effect(series["held_up"], series["unknown"])
    return {
        "page": page.path,
        "samples": samples,
        "answers": len(seen),
        "status": sorted({told[0] for told in seen}),
        "mean_ms": statistics.fmean(series["unknown"]) * 1e3,
        "effect_ms": difference * 1e3,
        "half_ms": half * 1e3,
        "planted_ms": planted * 1e3,
        "planted_half_ms": planted_half * 1e3,
    }


def enrol(setting):
    browser = Browser(setting, "/enrol")
    password = setting["password"]
    fields = {"code": setting["code"], "new_password": password, "repeated": password}
    _, told, _ = browser.send(fields)
    assert told[0] == 200, f"the first password was answered with {told[0]}"


def main():
    setting = json.loads(os.environ["LOCKSTEP_TEST_SETTING"])
    enrol(setting)
    for page in (SignIn(setting), Reset(setting)):
        print(json.dumps(measure(page, setting)), flush=True)


main()
