"""A stand-in for TensorFlow Serving's model server, as hard on its users as the real one.

A program of its own: it speaks only command line, gRPC, REST and exit codes, loads models through
the C library of the tensorflow wheel, and shares nothing with Berth but its protobuf messages.
"""
