"""The signing avatar: clips of invented signers, with exact key points.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material. No Deaf signer has reviewed them.
"""
