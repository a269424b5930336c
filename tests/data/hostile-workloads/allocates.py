# Takes memory as fast as it can.
blocks = []
while True:
    blocks.append(b"\x55" * (1 << 20))
