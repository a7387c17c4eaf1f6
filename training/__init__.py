"""From LIDC-IDRI to the checkpoints that the studio loads, and what is measured of them."""
