"""InfoGAN (Chen et al., NIPS 2016), its measurements and its figures, to be read in this order.

The method:
    params           what a run is made of: the typed model of params.yaml
    codes            the generator's input (z, c), and how Q's answer is read
    networks         the paper's tables of layers, and the builder of G and of D with Q
    augmentation     random affine maps of images
    losses           the GAN losses, and the lower bound L_I on the mutual information
    objectives       InfoGAN and its control: who learns what from the bound
    optimisation     float32 weights for networks that compute in less
    snapshot         the state of a training that was cut off
    training         one step of the game, and the whole of it
    checkpoint       trained weights on disk
The data:
    datasets         the registry, and packed images
    sources          raw files from wherever they can be had
    packing          raw files to packed images
What is measured:
    evaluation       c1 as a classifier; the bounds
    refitting        another Q, on a frozen generator
    traversal        images that vary one code
    classifier       the independent judge of generated images
    frechet          distance between two sets of images
    morphometrics    slant, width and other shapes of a digit
    shape_effects    what a continuous code does to a shape
    warping          what of it a warp of the image explains
    generation       measurements of generated images
    measurements     all of them for one run
    results          runs to means, spreads, and verdicts on the paper's claims
    symptoms         signs that a training went wrong
    figures          the paper's figures, redrawn
Used throughout:
    arrays           arrays on disk, with a checksum
    checksum         whether a file is still what was written
    errors           what a person can cause and cure
    randomness       every random stream from one seed
    runtime          device, precision, threads
    writing          files whole or not at all
"""
