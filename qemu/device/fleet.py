"""A life that a fleet server drives: the client for hawkBit in the device, a small hawkBit on this machine."""
import json, re, time

from lives import HEALTH, MIGRATE
from machine import Silence
from server import NETWORK, ONLINE, Server

BASE = "/DEFAULT/controller/v1/dev"
CLIENT = "/run/client --once --hawkbit /data/hawkbit.toml --settings /etc/bootslot/update.toml"
READY = (f"cp /data/client /run/client && chmod 755 /run/client && chmod 600 /data/token && {ONLINE} && "
         "bootslot journal boot --settings /etc/bootslot/update.toml >/dev/null && "
         "bootslot migrate --settings /etc/bootslot/update.toml")


class Hawkbit(Server):
    """What hawkBit's DDI does with one device (eclipse-hawkbit, DdiRootController): one action after the other, each with one file.
    The files know ranges, and break off, as those of every Server."""

    def __init__(self, files, seed):
        super().__init__(b"", seed)
        self.files, self.actions, self.told, self.attributes, self.sent = files, [], [], {}, 0
        answers = self.http.RequestHandlerClass
        answers.do_PUT = answers.do_POST = lambda request: self.hear(request)
        self.base = self.url.rsplit("/", 1)[0]

    def assign(self, file):
        self.actions.append({"id": str(len(self.actions) + 7), "file": file, "status": "running"})
        return self.actions[-1]

    def answer(self, request):
        path = request.path.split("?")[0]
        if not path.startswith(BASE):
            self.body = self.files[path.rsplit("/", 1)[1]]
            return super().answer(request)
        running = [action for action in self.actions if action["status"] == "running"]
        found = re.fullmatch(BASE + r"/deploymentBase/(\d+)", path)
        if request.headers.get("Authorization") != "TargetToken s3cret":
            return self.say(request, 401)
        if path == BASE:
            links = {"configData": {"href": f"{self.base}{BASE}/configData"}}
            if running:
                links["deploymentBase"] = {"href": f"{self.base}{BASE}/deploymentBase/{running[0]['id']}"}
            return self.say(request, 200, {"config": {"polling": {"sleep": "00:05:00"}}, "_links": links})
        action = next((action for action in running if found and action["id"] == found[1]), None)
        if action is None:
            return self.say(request, 404)
        file = {"filename": action["file"], "size": len(self.files[action["file"]]), "hashes": {"sha1": "0"},
                "_links": {"download-http": {"href": f"{self.base}/files/{action['file']}"}}}
        chunk = {"part": "os", "version": "1", "name": "os", "artifacts": [file]}
        self.say(request, 200, {"id": action["id"], "deployment": {"download": "forced", "update": "forced", "chunks": [chunk]}})

    def hear(self, request):
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        if request.path.endswith("/configData"):
            self.attributes.update(body["data"])
            return self.say(request, 200)
        found = re.fullmatch(BASE + r"/deploymentBase/(\d+)/feedback", request.path)
        action = next((action for action in self.actions if found and action["id"] == found[1]), None)
        if action is None or action["status"] != "running":
            return self.say(request, 410 if action else 404)
        status = body["status"]
        self.told.append((action["id"], status["execution"], status["result"]["finished"], " ".join(status.get("details", []))))
        if status["execution"] == "closed":
            action["status"] = "error" if status["result"]["finished"] == "failure" else "finished"
        self.say(request, 200)

    def say(self, request, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


class Fleet:
    """The story, for a device with a data partition (Lives)."""

    def ready(self):
        """Hears it boot, and brings it as far as its client."""
        heard = self.device.boots(timeout=120)
        self.device.run(READY)
        return heard

    def visits(self, server, until, timeout=120):
        """The client at work until the device restarts (`until` is a slot) or is done (None)."""
        device = self.device
        if until is None:
            return device.run(CLIENT, timeout=timeout)
        device.machine.send(f"{CLIENT}\n")
        heard = device.boots(timeout=timeout)
        device.run(READY)
        return heard

    def fleet(self):
        """A sick update and a good one, as a server orders them: one rollback, a cut in the download, one update that stays. What
        the server believes is what the device runs."""
        device, name = self.device, "life, fleet"
        files = {f"{name}.bundle": (device.work / f"{name}.bundle").read_bytes() for name in ("sick", "update")}
        server = Hawkbit(files, self.random.random())
        settings = (f'url = "{server.base}"\ncontroller = "dev"\ntarget-token-file = "/data/token"\n'
                    'reboot = ["/usr/bin/reboot", "-f"]\n')
        device.cut()
        device.write_environment(self.confirmed)
        device.write_system("A", self.systems["good"])
        device.write_system("B", b"")
        self.data(health_toml=(HEALTH + MIGRATE).encode(), app__config=b"old\n", hawkbit_toml=settings.encode(), token=b"s3cret",
                  client=(device.work / "bootslot-hawkbit").read_bytes())
        device.on(options=NETWORK)
        self.ready()

        # Sick: the checks give it up, and the server hears why.
        first = server.assign("sick.bundle")
        self.slots(f"{name}: the sick one is tried", self.visits(server, "B"), "B")
        self.is_(f"{name}: so far it is only on trial", first["status"], "running")
        device.run("bootslot health --confirm --settings /etc/bootslot/update.toml", status=6)
        device.machine.send("reboot -f\n")
        self.slots(f"{name}: back to A", self.ready(), "A")
        self.visits(server, None)
        self.is_(f"{name}: the server knows that it has failed", first["status"], "error")
        self.check(f"{name}: and why", "check fit" in server.told[-1][3], str(server.told[-1]))

        # Good: the power fails in the download. The same client goes on, and does not fetch again what is there.
        second = server.assign("update.bundle")
        before = server.served
        device.machine.send(f"{CLIENT}\n")
        end = time.monotonic() + 60
        while server.served - before < len(files["update.bundle"]) // 8 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
        device.cut()
        until_cut = server.served - before
        state = device.environment()
        self.is_(f"{name}: the cut was in the download", (state.get("slot_B"), second["status"]), ("bad", "running"))
        device.on(options=NETWORK)
        self.slots(f"{name}: A after the cut", self.ready(), "A")
        messages = len(server.told)
        self.slots(f"{name}: the good one is tried", self.visits(server, "B"), "B")
        self.report.say(f"# {name}: {until_cut} bytes were sent before the cut, {server.served - before - until_cut} after it")
        self.visits(server, None)
        self.is_(f"{name}: no success before the confirmation", second["status"], "running")
        device.run("bootslot health --confirm --settings /etc/bootslot/update.toml")
        self.visits(server, None)
        self.is_(f"{name}: success after it", (second["status"], server.told[-1][1:3]), ("finished", ("closed", "success")))
        self.check(f"{name}: at most 12 messages after the cut", len(server.told) - messages <= 12, str(server.told))
        self.is_(f"{name}: what the server believes", tuple(server.attributes.get(key) for key in ("slot", "version")), ("B", "2"))
        self.is_(f"{name}: with its data", device.run("cat /data/app/config"), "update\n")
        self.is_(f"{name}: what the device runs", (self.state().get("active_slot"), self.report_now()["version"]), ("B", "2"))

        # The sick one is ordered again: it is answered, and not installed.
        copies, fetched = device.copies(), server.served
        third = server.assign("sick.bundle")
        self.visits(server, None)
        self.is_(f"{name}: the sick one again is answered at once", third["status"], "error")
        self.check(f"{name}: only its head was read", server.served - fetched < len(files["sick.bundle"]) // 4,
                   f"{server.served - fetched} of {len(files['sick.bundle'])}")
        self.check(f"{name}: nothing was stored", device.copies() == copies)
        told = [(action, finished) for action, execution, finished, _ in server.told if execution == "closed"]
        self.is_(f"{name}: each end is told once", told, [("7", "failure"), ("8", "success"), ("9", "failure")])
        device.cut()
        server.close()
        device.write_system("A", self.systems["good"])
        device.write_system("B", self.systems["good"])
        device.write_system("C", self.systems["good"])
