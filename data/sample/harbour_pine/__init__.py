"""The shop "Harbour & Pine", simulated.

`people` draws who they are, `visits` when they come, `baskets` what they buy; `history`
joins these into events. `devices` draws what people hold, `dirt` spoils exact numbers
of rows, `files` writes. `shop`, `places` and `rhythm` are facts that they share.
"""
