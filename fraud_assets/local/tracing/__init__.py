"""The story of one score, from the row of a file to the alert, told from the ledger and what is stored.

`document` says what there is to tell, `finding` finds the transaction, `gathering` asks the ledger, `labels` what was
known of frauds, and `printing` writes it for a terminal. Nothing is computed anew.
"""
