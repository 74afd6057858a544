#!/usr/bin/env python3
"""tests/json/run.py PROGRAM: what each command of the program prints with --json, against docs/schema.

The schemas allow keys that they do not name, since programs that read the output have to. This test does not: a key that
the program prints and no schema names fails it. So does a command with --json that no session here runs, or that
docs/json.md does not name.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (PROJECT / "docs/schema").glob("*.json")}
PROGRAM = pathlib.Path(sys.argv[1]).resolve()


def inlined(schema):
    """The schema with what it refers to."""
    if isinstance(schema, list):
        return [inlined(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: inlined(part) for key, part in schema.items() if key != "$ref"}
    if "$ref" in schema:
        made = {**inlined(SCHEMAS["common"]["$defs"][schema["$ref"].removeprefix("common.json#/$defs/")]), **made}
    return made


def closed(schema, alone=True):
    """The schema, and nothing beside it. Not `alone`: another schema adds keys to the same object."""
    if isinstance(schema, list):
        return [closed(part, alone) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, part in schema.items():
        if key == "properties":
            made[key] = {name: closed(inner) for name, inner in part.items()}
        elif key in ("enum", "required", "const"):
            made[key] = part
        else:
            made[key] = closed(part, alone and key != "allOf" if key in ("allOf", "oneOf") else True)
    if alone and "properties" in schema and "additionalProperties" not in schema:
        made["unevaluatedProperties"] = False
    return made


passed, failed = 0, []
used, ran = set(), set()


def errors(value, schema, strictly):
    schema = inlined(schema)
    validator = jsonschema.Draft202012Validator(closed(schema) if strictly else schema)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]


def check(name, condition, why=""):
    global passed
    if condition:
        passed += 1
    else:
        failed.append(name)
        print(f"NOT OK {name}: {why}")


def leaf(words):
    """The command of these words, without its options and arguments."""
    groups = {"app", "bootloader", "env", "bundle", "journal", "bootcount", "rauc"}
    return " ".join(words[:2] if words[0] in groups else words[:1])


def run(*words, exit_code=0, tool="bootslot", stdin=None):
    called = subprocess.run([tool, *words], executable=PROGRAM, capture_output=True, text=True, input=stdin)
    check(f"{tool} {' '.join(words)}: exit code", called.returncode == exit_code,
          f"{called.returncode} instead of {exit_code}: {called.stderr}")
    return called.stdout


def valid(schema, value, name):
    used.add(schema)
    for strictly in (False, True):
        wrong = errors(value, SCHEMAS[schema], strictly)
        check(f"{name}: {schema}{', closed' if strictly else ''}", not wrong, f"{wrong}\n{json.dumps(value, indent=1)}")
    return value


def document(schema, *words, exit_code=0, stdin=None):
    """A command that prints one document."""
    ran.add(leaf(words))
    output = run(*words, "--json", exit_code=exit_code, stdin=stdin)
    try:
        return valid(schema, json.loads(output), " ".join(words))
    except ValueError as error:
        check(" ".join(words), False, f"{error}: {output!r}")
        return {}


def events(schema, *words, exit_code=0):
    """A command that prints a document in each line."""
    ran.add(leaf(words))
    lines = [json.loads(line) for line in run(*words, "--json", exit_code=exit_code).splitlines()]
    check(f"{' '.join(words)}: says something", lines)
    return [valid(schema, line, " ".join(words)) for line in lines]


def sessions():
    config = ["-c", "fw_env.config"]
    env = [*config, "-l", "."]
    pathlib.Path("env.img").write_bytes(bytes(0x8000))
    pathlib.Path("fw_env.config").write_text("env.img 0x0 0x4000\nenv.img 0x4000 0x4000\n")
    pathlib.Path("one.config").write_text("one.img 0x0 0x4000\n")
    pathlib.Path("two.config").write_text("one.img 0x0 0x4000\none.img 0x4000 0x4000\n")
    pathlib.Path("one.img").write_bytes(bytes(0x8000))

    # Nothing is there yet.
    document("env-check", "env", "check", *config, exit_code=3)
    document("env-find", "env", "find", "env.img", exit_code=1)
    run("--init", *env, "bootcmd", "run bootslot", tool="fw_setenv")
    run(*env, "odd", os.fsdecode(b"\xff"), tool="fw_setenv")
    check("a value that is not UTF-8", document("env-get", "env", "get", *env, "odd")["variables_hex"] == {"6f6464": "ff"})
    check("a value", document("env-get", "env", "list", *env)["variables"]["bootcmd"] == "run bootslot")
    # Options end at the name.
    ran.add("env set")
    for stored in True, False:
        told = valid("env-set", json.loads(run("env", "set", *env, "--json", "a", "1")), "env set")
        check("whether it was stored", told["stored"] is stored)
    document("env-set", "env", "unset", *env, "a")
    check("what an import would change",
          document("env-import-dry-run", "env", "import", *env, "--replace", "--dry-run", "-", stdin="x=1\nbootcmd=run bootslot\n")
          == {"set": {"variables": {"x": "1"}}, "delete": {"variables": {}, "variables_hex": {"6f6464": "ff"}}})
    document("env-set", "env", "import", *env, stdin="x=1\n")
    document("env-repair", "env", "repair", *env)
    document("env-check", "env", "check", *config)
    document("env-find", "env", "find", "env.img")
    with open("env.img", "r+b") as image:
        image.seek(100)
        image.write(b"damage")
    document("env-check", "env", "check", *config, exit_code=1)
    check("repaired", document("env-repair", "env", "repair", *env)["repaired"])
    run("--init", "-c", "one.config", "-l", ".", "bootcmd", "run bootslot", tool="fw_setenv")
    check("hints", document("env-check", "env", "check", "-c", "two.config", exit_code=1)["found"])
    convert = ["env", "convert", "-c", "two.config", "-l", "."]
    check("converted", document("env-convert", *convert, "redundant")["converted"])
    check("not converted", not document("env-convert", *convert, "redundant")["converted"])

    # A device with two slots, its journal, its data, a check, a counter and somebody who takes reports.
    for folder in ["state", "data", "steps", "keys", "hooks", "sys"]:
        pathlib.Path(folder).mkdir()
    pathlib.Path("data/app").write_text("old")
    pathlib.Path("system.toml").write_text("version = 2\ninitial = 1\n")
    pathlib.Path("counter").write_bytes(b"\xbd\x01\x03\x01")
    here = os.getcwd()
    pathlib.Path("bootslot.toml").write_text(f"""
state = "state"
[[slot]]
name = "A"
device = "a.img"
[[slot]]
name = "B"
device = "b.img"
[environment]
config = "fw_env.config"
[update]
compatible = "acme-gateway"
keys = "keys"
[migrate]
data = ["{here}/data"]
system = "{here}/system.toml"
steps = "{here}/steps"
lock = "{here}/migrate.lock"
[bootcount]
type = "file"
path = "counter"
[report]
hooks = "{here}/hooks"
[health]
settle = "0s"
deadline = "5s"
standard = false
[[health.check]]
name = "data"
command = ["test", "-e", "{here}/data/app"]
""")
    for name in "a", "b":
        pathlib.Path(f"{name}.img").write_bytes(bytes(1 << 20))
    pathlib.Path("boot").write_text("00000001-0000\n")
    pathlib.Path("os-release").write_text("IMAGE_VERSION=1.0.0\n")
    pathlib.Path("defaults").write_text("bootcmd=run bootslot\n")
    pathlib.Path("fw_env.config").write_text("slots.img 0x0 0x4000\nslots.img 0x4000 0x4000\n")
    pathlib.Path("slots.img").write_bytes(bytes(0x8000))

    def device(slot):
        return ["--settings", "bootslot.toml", "-l", ".", "--slot", slot, "--script", "2", "--boot-id", "boot",
                "--os-release", "os-release", "--sysfs", "sys"]

    a, b = device("A"), device("B")
    counter = ["--settings", "bootslot.toml"]
    document("order", "init", "-f", "defaults", *a)
    check("the counter", document("bootcount-get", "bootcount", "get", *counter)["bootcount"] == 3)
    check("confirmed", document("order", "confirm", *a)["boot_counter_reset"])
    check("done already", not document("order", "confirm", *a)["stored"])
    check("no counter", document("bootcount-reset", "bootcount", "reset", *counter)["reset"] is False)
    document("journal-boot", "journal", "boot", *a)
    document("status", "status", *a)
    document("next", "next", *a)
    document("report", "report", *a)
    document("diagnose", "diagnose", *a)
    check("nothing to decide", document("health", "health", *a)["decision"] is None)
    document("health", "health", "--check", *a)
    document("migrate-status", "migrate", "--status", *a, exit_code=1)
    document("migrate-status", "migrate", "--dry-run", *a)
    events("migrate", "migrate", *a)
    pathlib.Path("none.toml").write_text("")
    document("migrate-status", "migrate", "--status", "--settings", "none.toml", *a[2:])
    document("convert-dry-run", "convert", "--to", "rauc", "--dry-run", *a)

    # Bundles.
    pathlib.Path("root1").write_bytes(os.urandom(300_000))
    pathlib.Path("root2").write_bytes(pathlib.Path("root1").read_bytes()[:200_000] + os.urandom(90_000))
    run("bundle", "generate-key", "--public", "keys/release.pub", "--secret", "release.key")
    key, secret = "keys/release.pub", "release.key"
    for number in "1", "2":
        run("bundle", "create", f"root=root{number}", "-o", f"{number}.bundle", "--compatible", "acme-gateway",
            "--version", f"{number}.0.0")
    run("bundle", "create", "root=root2", "-o", "patch.bundle", "--compatible", "acme-gateway", "--version", "2.0.1",
        "--against", "root=root1")
    for bundle in "1", "2", "patch":
        run("bundle", "sign", f"{bundle}.bundle", "--key", secret)
    document("bundle-inspect", "bundle", "inspect", "1.bundle")
    document("bundle-inspect", "bundle", "inspect", "patch.bundle")
    document("bundle-diff", "bundle", "diff", "1.bundle", "2.bundle")
    events("bundle-verify", "bundle", "verify", "1.bundle", "--key", key)
    pathlib.Path("broken.bundle").write_bytes(pathlib.Path("1.bundle").read_bytes()[:-1000])
    last = events("bundle-verify", "bundle", "verify", "broken.bundle", "--key", key, exit_code=11)[-1]
    check("the last event has the exit code", last["code"] == 11, last)
    events("install", "install", "1.bundle", "--dry-run", *a)
    told = events("install", "install", "1.bundle", *a)
    check("progress and an end", {"progress", "done"} == {event["event"] for event in told}, told)
    check("already", events("install", "install", "1.bundle", *a)[-1]["already"])
    check("another exit code", events("install", "install", "nowhere.bundle", *a, exit_code=4)[-1]["event"] == "failed")
    # Nobody answers at this port.
    waits = events("install", "install", "http://127.0.0.1:9/x.bundle", "--retry-for", "2", *a, exit_code=10)
    check("a wait", "waiting" in {event["event"] for event in waits}, waits)

    # It boots, fails, is reported and refused; then one that is healthy.
    def boot():
        for store in json.loads(run("next", *a, "--json"))["stores"]:
            run("-s", "-", "-c", "fw_env.config", "-l", ".", tool="fw_setenv",
                stdin="".join(f"{name}={value or ''}\n" for name, value in store.items()))

    boot()
    pathlib.Path("boot").write_text("00000002-0000\n")
    document("journal-boot", "journal", "boot", *b)
    pathlib.Path("system.toml").write_text("version = 3\ninitial = 1\n")
    pathlib.Path("steps/3-fails").write_text("#!/bin/sh\nexit 1\n")
    pathlib.Path("steps/3-fails").chmod(0o755)
    events("migrate", "migrate", *b, exit_code=25)
    document("migrate-status", "migrate", "--status", *b, exit_code=1)
    pathlib.Path("system.toml").write_text("version = 2\ninitial = 1\n")
    pathlib.Path("data/app").rename("data/away")
    check("rolled back", document("health", "health", *b, exit_code=6)["decision"] == "roll-back")
    pathlib.Path("data/away").rename("data/app")
    pathlib.Path("boot").write_text("00000003-0000\n")
    document("journal-boot", "journal", "boot", *a)
    document("status", "status", *a)
    refused = document("report", "report", *a)["refused"]
    check("refused", refused)
    document("diagnose", "diagnose", *a)
    pathlib.Path("hooks/10-tell").write_text(f"#!/bin/sh\ncat \"$1\" >>{here}/told\n")
    pathlib.Path("hooks/10-tell").chmod(0o755)
    run("report", "--send", *a)
    text, decoder, messages = pathlib.Path("told").read_text().strip(), json.JSONDecoder(), 0
    while text:
        message, end = decoder.raw_decode(text)
        valid("report-message", message, "report --send")
        text, messages = text[end:].strip(), messages + 1
    check("messages", messages > 0)
    document("order", "acknowledge", *a)
    document("order", "allow", refused[0]["update"], *a)
    document("journal-show", "journal", "show", *a)
    # Applications, each without a service: the checks alone decide.
    pathlib.Path("app").mkdir()
    pathlib.Path("app/run").write_text("x")
    run_tar = ["tar", "-C", "app", "--numeric-owner", "-cf", "app.tar", "."]
    subprocess.run(run_tar, check=True)
    for number, wanted in ("1", "true"), ("2", "true"), ("3", "false"):
        run("bundle", "create", "-o", f"app{number}.bundle", "--compatible", "acme-gateway", "--version", number, "--app", "gateway=app.tar")
        run("bundle", "sign", f"app{number}.bundle", "--key", secret)
    document("bundle-inspect", "bundle", "inspect", "app1.bundle")
    settings = pathlib.Path("bootslot.toml").read_text()

    def passes(word):
        pathlib.Path("bootslot.toml").write_text(f'''{settings}
[[app]]
name = "gateway"
root = "{here}/apps"
settle = "1s"
deadline = "2s"
[[app.check]]
name = "own"
command = ["{word}"]
''')
    passes("true")
    check("not installed", document("app-status", "app", "status", *a)[0]["installed"] is False)
    told = events("app", "app", "install", "app1.bundle", *a)
    check("installed and confirmed", {"installed", "decision", "confirmed"} <= {event["event"] for event in told}, told)
    check("there", document("app-status", "app", "status", *a)[0]["confirmed"]["version"] == "1")
    events("app", "app", "install", "app2.bundle", "--no-wait", *a)
    events("app", "app", "confirm", "gateway", *a)
    passes("false")
    events("app", "app", "install", "app3.bundle", *a, exit_code=6)
    check("refused", document("app-status", "app", "status", *a)[0]["refused"])
    check("its own exit code", events("app", "app", "install", "app3.bundle", *a, exit_code=15)[-1]["code"] == 15)
    events("app", "app", "rollback", "gateway", *a)
    document("report", "report", *a)
    pathlib.Path("told").unlink()
    run("report", "--send", *a)
    text, kinds = pathlib.Path("told").read_text().strip(), set()
    while text:
        message, end = decoder.raw_decode(text)
        valid("report-message", message, "report --send")
        text = text[end:].strip()
        kinds.add(message["kind"])
    check("messages of applications", "app" in kinds, kinds)
    for word in "boot", "decide":
        ran.add(f"app {word}")
        check(f"app {word}: nothing to do", run("app", word, *a, "--json") == "")
    events("app", "app", "remove", "gateway", *a)

    # A boot loader: two places in a file, and a file that says which of them booted.
    pathlib.Path("loader-keys").mkdir()
    run("bundle", "generate-key", "--public", "loader-keys/loader.pub", "--secret", "loader.key")
    pathlib.Path("u-boot.img").write_bytes(os.urandom(20_000))
    run("bundle", "create", "-o", "loader.bundle", "--compatible", "acme-gateway", "--version", "1", "--bootloader", "u-boot.img",
        "--script", "2")
    for key_file in secret, "loader.key":
        run("bundle", "sign", "loader.bundle", "--key", key_file)
    document("bundle-inspect", "bundle", "inspect", "loader.bundle")
    check("no boot loader", document("bootloader-status", "bootloader", "status", *a) is None)
    pathlib.Path("disk.img").write_bytes(bytes(65536))
    pathlib.Path("booted").write_text("a")
    pathlib.Path("bootslot.toml").write_text(f'''{settings}
[bootloader]
scheme = "newest"
keys = "loader-keys"
booted-file = "booted"
[[bootloader.copy]]
name = "a"
device = "disk.img"
size = 32768
[[bootloader.copy]]
name = "b"
device = "disk.img"
offset = 32768
size = 32768
''')
    check("settled", document("bootloader-status", "bootloader", "status", *a)["standing"] == "settled")
    events("install", "install", "loader.bundle", "--dry-run", *a)
    check("its copy", events("install", "install", "loader.bundle", *a)[-1]["copy"] == "b")
    check("cancelled", document("bootloader-order", "bootloader", "cancel", *a)["result"] == "cancelled")
    document("bootloader-order", "bootloader", "cancel", *a, exit_code=1)
    events("install", "install", "loader.bundle", *a)
    pathlib.Path("booted").write_text("b")
    pathlib.Path("boot").write_text("00000004-0000\n")
    check("booted", document("status", "status", *a)["bootloader"]["standing"] == "booted")
    document("report", "report", *a)
    check("kept", document("bootloader-order", "bootloader", "confirm", *a)["result"] == "confirmed")
    check("known", document("bootloader-status", "bootloader", "status", *a)["confirmed"]["copy"] == "b")
    pathlib.Path("booted").unlink()
    document("status", "status", *a)

    document("order", "begin-install", "B", *a)
    document("order", "finish-install", "B", "--update", "x1", *a)
    document("next", "next", *a)
    document("order", "rollback", *a)
    document("order", "try", "B", "--again", *a)
    document("order", "rollback", *a)
    document("order", "mark", "good", "B", *a)
    document("order", "set-active", "B", *a)
    document("order", "set-active", "A", *a)
    document("order", "convert", "--to", "rauc", *a)

    # What has --json and nothing to say.
    for silent in ["journal shutdown", "rauc get-primary"]:
        ran.add(silent)
    check("a shutdown prints nothing", run("journal", "shutdown", *a, "--json") == "")


def commands(*words):
    """The commands that take --json, as --help has them."""
    text = run(*words, "--help")
    found = []
    listed = re.search(r"(?ms)^Commands:\n(.*?)^\S", text)
    if listed:
        for name in re.findall(r"(?m)^  ([a-z-]+)  ", listed[1]):
            if name != "help":
                found += commands(*words, name)
    elif "--json" in text:
        found.append(" ".join(words))
    return found


# What these print is defined by RAUC, which wants a word, and by Rugix, which wants an object of its own.
THEIRS = {"rauc get-primary", "rauc get-current", "rauc get-state", "rauc set-primary", "rauc set-state", "rugix"}

for name, schema in SCHEMAS.items():
    jsonschema.Draft202012Validator.check_schema(schema)
with tempfile.TemporaryDirectory() as place:
    os.chdir(place)
    sessions()
    os.chdir("/")
takes = set(commands())
check("every command with --json was run", not takes - ran - THEIRS, sorted(takes - ran - THEIRS))
check("every schema was used", used | {"common"} == set(SCHEMAS), sorted(set(SCHEMAS) - used))
page = (PROJECT / "docs/json.md").read_text()
for command in sorted(takes - THEIRS):
    check(f"docs/json.md names bootslot {command}", f"`{command}`" in page)
for schema in sorted(used):
    check(f"docs/json.md names schema/{schema}.json", f"(schema/{schema}.json)" in page)
# That a wrong document is found: each schema against what it is not.
for schema in used:
    check(f"{schema} refuses", errors({"nobody": "knows"}, SCHEMAS[schema], True) and errors(7, SCHEMAS[schema], False))
print(f"{passed} passed, {len(failed)} failed")
sys.exit(bool(failed))
