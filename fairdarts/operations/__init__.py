"""What supernets and derived networks are both built of: operations of S1, blocks of S2."""
