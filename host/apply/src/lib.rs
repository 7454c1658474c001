//! Turns rendered objects and an inventory into a plan and carries it out.
