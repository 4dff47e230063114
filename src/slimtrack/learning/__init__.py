"""Networks trained from annotated pictures: data, augmentation, backbones, losses, the loop. Needs torch."""
