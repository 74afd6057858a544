"""An update server with one file, as the guest sees servers: it knows ranges, and it fails at random."""
import http.server, random, re, threading, time

CHUNK = 16 << 10
# What a device needs beside it: its network card, its address, and the order.
NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-device,netdev=net")
ONLINE = "ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up"
INSTALL = "bootslot install --settings /etc/bootslot/update.toml --json"


class Server:
    """Serves `body` under any path; `url` is what QEMU's user network calls it. Its answers end early now and then."""

    def __init__(self, body, seed):
        self.body, self.random = body, random.Random(seed)
        # How often an answer is broken off, whether the server is away, and how many bytes of its file it has sent.
        self.breaks, self.away, self.asked, self.broken, self.served = 0.0, False, 0, 0, 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        # A device that is switched off leaves its connection as it is.
        self.http.handle_error = lambda *_: None
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://10.0.2.2:{self.http.server_port}/update.bundle"

    def answer(self, request):
        self.asked += 1
        if self.away:
            self.broken += 1
            request.close_connection = True
            return
        total, first, last = len(self.body), 0, len(self.body) - 1
        range_ = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if range_:
            first = int(range_[1])
            last = min(last, int(range_[2])) if range_[2] else last
        request.send_response(206 if range_ else 200)
        request.send_header("Content-Length", str(last + 1 - first))
        request.send_header("ETag", '"1"')
        if range_:
            request.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        request.end_headers()
        for start in range(first, last + 1, CHUNK):
            if self.away or self.random.random() < self.breaks:
                self.broken += 1
                request.close_connection = True
                return
            try:
                request.wfile.write(self.body[start:min(start + CHUNK, last + 1)])
                self.served += min(CHUNK, last + 1 - start)
            except OSError:  # the device was switched off
                request.close_connection = True
                return

    def goes_away(self, seconds):
        """From now on for so long it takes connections and says nothing."""
        self.away = True

        def back():
            time.sleep(seconds)
            self.away = False
        threading.Thread(target=back, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()
