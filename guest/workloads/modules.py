#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A working set of the interpreter's library: what a program that does a little of everything imports.

Its size is what it is, and so there is no mode grow. A round uses some of the modules.
"""

from swapcal_workload import Workload, run, unsupported

# In Python 3, and where Python 2 calls it otherwise, there. Some have extensions in C: sqlite3, ssl, ctypes.
MODULES = """
    argparse ast base64 bisect bz2 calendar codecs collections configparser:ConfigParser copy csv ctypes
    datetime decimal difflib email.message:email hashlib heapq html.parser:HTMLParser http.client:httplib
    http.server:BaseHTTPServer inspect json locale logging logging.handlers mimetypes multiprocessing
    optparse pickle platform pprint queue:Queue random re select shelve shutil signal socket
    socketserver:SocketServer sqlite3 ssl string struct subprocess tarfile tempfile textwrap threading time
    tokenize traceback unittest urllib.parse:urlparse urllib.request:urllib2 uuid weakref
    xml.dom.minidom xml.etree.ElementTree zipfile zlib
""".split()


def import_one(names):
    name3, _, name2 = names.partition(":")
    try:
        __import__(name3)
    except ImportError as error:
        try:
            __import__(name2 or name3)
        except ImportError:
            unsupported("this interpreter's library is not whole: %s" % error)


class Modules(Workload):
    modes = ("hold",)

    def prepare(self):
        for names in MODULES:
            import_one(names)

    def build(self, payload):
        return None

    def work(self, parts):
        import datetime
        import json
        import re
        import textwrap
        import xml.etree.ElementTree as ElementTree
        record = {"when": datetime.date(2000, 1, 1).isoformat(), "what": textwrap.wrap(__doc__, 40)}
        document = ElementTree.fromstring("<r>%s</r>" % re.sub("[<&]", "", json.dumps(record)))
        if json.loads(document.text) != record:
            raise SystemExit("wrong: '%s'" % document.text)


if __name__ == "__main__":
    run(Modules, __doc__)
