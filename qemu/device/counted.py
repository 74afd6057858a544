"""Stories of boards whose U-Boot counts boots (CONFIG_BOOTCOUNT_LIMIT), as U-Boot and `bootslot bootcount` see it."""
import json

from cases import HOSTILE, TRIAL, Stories, values


class Counted(Stories):
    """All stories: those of Stories, and these."""

    def counts(self, name, heard, wanted):
        """U-Boot has counted this many boots, and user space reads the same."""
        seen = [int(values(heard, "environment")[-1]["bootcount"]), int(self.device.run("bootslot bootcount get"))]
        self.is_(f"{name}: U-Boot's count and user space's", seen, [wanted] * 2)

    def guard(self):
        """A confirmed slot whose boots are reported healthy stays. One that never gets so far gives way to
        the other good one, with one store. The commands that the environment holds have no part in it."""
        device, limit = self.device, self.device.board.limit
        device.write_environment({**self.confirmed, "slot_B": "good", **HOSTILE})
        before = device.copies()
        device.on()
        heard = device.boots() + [said for _ in range(limit + 1) for said in device.reboots()]
        self.slots("healthy boots: the slot stays", heard, *"A" * (limit + 2))
        self.is_("healthy boots: no guard", values(heard, "guard"), [])
        self.nothing_stored("healthy boots", heard, before)
        device.cut()

        device.write_system("A", self.systems["panics"])
        device.on()
        heard = device.hears("linux")
        self.slots(f"A panics: {limit} boots, then B", heard, *"A" * limit, "B")
        self.is_("A panics: the guard acts once", len(values(heard, "guard")), 1)
        self.is_("A panics: U-Boot saves once", len(values(heard, "saving")), 1)
        self.is_("A panics: no stored command runs", values(heard, "hostile"), [])
        self.one_store("A panics", before)
        self.is_("A panics: evidence", self.state(), {
            "active_slot": "B", "boot_success": "1", "boot_try_count": "0", "rollback_slot": "A", "slot_B": "good",
            "boot_failed": "A:tries:"})
        self.is_("A panics: the count starts anew", int(device.run("bootslot bootcount get")), 0)
        self.check("A panics: status tells it", "slot A was not reported healthy" in device.run("bootslot status"))
        before = device.copies()
        heard = device.reboots(healthy=False)
        self.slots("A panics: B stays", heard, "B")
        self.counts("A panics: B", heard, 1)
        self.nothing_stored("A panics: B", heard, before)
        device.cut()
        device.write_system("A", self.systems["good"])

    def trial_and_guard(self):
        """The boots of a trial that fails are not held against the slot that boots after it."""
        device, limit = self.device, self.device.board.limit
        trial = {**self.confirmed, **TRIAL, "boot_try_count": str(limit)}
        device.write_environment({name: value for name, value in trial.items() if value is not None})
        device.write_system("B", self.systems["panics"])
        device.on()
        heard = device.hears("linux")
        self.slots(f"a trial of {limit}, then A", heard, *"B" * limit, "A")
        self.is_("after the trial: the count starts anew", int(device.run("bootslot bootcount get")), 0)
        for number in range(1, limit + 1):
            heard += (boot := device.reboots(healthy=False))
            self.counts(f"after the trial, boot {number}", boot, number)
        self.is_("after the trial: no guard", values(heard, "guard"), [])
        device.cut()
        device.write_system("B", self.systems["good"])

    def last_good_slot(self):
        """The only good slot that is not reported healthy keeps its mark; the other one has a trial in its place,
        and after that it is the good one's turn again."""
        device, limit = self.device, self.device.board.limit
        device.write_environment(self.confirmed)
        before, heard = device.copies(), []
        device.on()
        for number in range(1, limit + 1):
            boot = device.reboots(healthy=False) if heard else device.hears("linux")
            self.counts(f"the only good slot, boot {number}", boot, number)
            heard += boot
        self.slots("the only good slot, so often", heard, *"A" * limit)
        self.nothing_stored("the only good slot", heard, before)
        heard = device.reboots(healthy=False)
        self.slots("then the other slot is tried", heard, "B")
        self.is_("then the guard acts once", len(values(heard, "guard")), 1)
        self.is_("then A is still good", self.state(), {
            "active_slot": "B", "boot_success": "0", "boot_try_count": "2", "rollback_slot": "A", "slot_A": "good",
            "boot_failed": "A:tries:"})
        heard = [said for _ in range(3) for said in device.reboots(healthy=False)]
        self.slots("the trial ends, and A is back", heard, "B", "B", "A")
        self.is_("the trial ends, and B has failed", self.state(), {
            "active_slot": "A", "boot_success": "1", "boot_try_count": "0", "rollback_slot": "B", "slot_A": "good",
            "slot_B": "failed", "boot_failed": "B:tries:"})
        device.run("bootslot bootcount reset")
        heard = device.reboots(healthy=False)
        self.is_("the only good slot: no guard after a healthy boot", values(heard, "guard"), [])
        self.counts("the only good slot, after a healthy boot", heard, 1)
        device.cut()

    def counters(self):
        """Each kind of counter in memory, as the device tree describes it to U-Boot and to user space."""
        device = self.device
        device.write_environment(self.confirmed)
        for tree, kind, address in [("device", "two words", 0x41000000), ("single-word", "one word", 0x41000010),
                                    ("syscon", "4 bytes of a syscon", 0x41000104),
                                    ("syscon-short", "2 bytes of a syscon", 0x4100010a)]:
            device.on(tree=tree)
            self.counts(kind, device.hears("linux"), 1)
            self.counts(f"{kind}, again", device.reboots(healthy=False), 2)
            found = json.loads(device.run("bootslot bootcount get --json"))
            self.is_(f"{kind}: found by the device tree", (found["where"], found["valid"]),
                     (f"/dev/mem at {address:#x}", True))
            device.run("bootslot bootcount reset")
            self.is_(f"{kind}: reset", int(device.run("bootslot bootcount get")), 0)
            self.counts(f"{kind}, after the reset", device.reboots(healthy=False), 1)
            device.cut()

    def counter_in_a_file(self):
        """A file in FAT that U-Boot writes at each boot while upgrade_available is set in it."""
        device = self.device
        device.write_environment(self.confirmed)
        device.on()
        device.boots()
        # As an updater starts the count.
        device.run(r"printf '\275\001\000\001' >/boot/failures; sync")
        self.counts("a file", device.reboots(), 1)
        self.counts("a file, again", device.reboots(), 2)
        device.run("bootslot bootcount reset")
        for _ in range(2):
            heard = device.reboots()
            self.is_("a file, after the reset: U-Boot reads 0", values(heard, "environment")[0]["bootcount"], "1")
            found = json.loads(device.run("bootslot bootcount get --json"))
            self.is_("a file, after the reset: U-Boot does not count", (found["bootcount"], found["upgrade_available"]),
                     (0, False))
        device.cut()
        self.check("a file: not in the environment", "bootcount" not in device.environment())
