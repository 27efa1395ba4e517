"""InfoGAN (Chen et al., NIPS 2016), its measurements and its figures, to be read in this order.

The method:
    params           what a run is made of: the typed model of params.yaml
    codes            the generator's input (z, c), and how Q's answer is read
    networks         the paper's tables of layers, and the builder of G and of D with Q
    augmentation     random maps of images
    losses           the GAN losses, and the lower bound L_I on the mutual information
    objectives       InfoGAN and its control: who learns what from the bound
    traversal        latents and images that vary one code
    optimisation     float32 weights for networks that compute in less
    snapshot         the state of a training that was cut off
    training         one step of the game, and the whole of it
    checkpoint       trained weights on disk
The data:
    datasets         the registry, and packed images
    sources          raw files from wherever they can be had
    packing          raw files to packed images
    archives         SVHN, CelebA, Chairs and Faces as they are published
    factors          what varies between rendered images, and as what it is read
    rendering        ellipsoids and boxes as grey pictures
    heads            stand-in for the paper's Faces
    seats            stand-in for the paper's Chairs
What is measured:
    evaluation       c1 as a classifier; the bounds
    refitting        another Q, on a frozen generator
    judge            the independent network that judges generated images
    classifier       it names their class
    factor_regressor it reads their factors
    frechet          distance between two sets of images
    morphometrics    slant, width and other shapes of a digit
    shape_effects    what a continuous code does to a shape
    warping          what of it a warp of the image explains
    generation       measurements of generated images
    factor_metrics   how well codes represent known factors: correlations, MIG, FactorVAE score
    importance       DCI: which code a regression needs for which factor
    factor_scores    all scores of Q's codes on images whose factors are known
    factor_effects   what a code does to a factor of generated images
    measurements     all of them for one run
What is written of it:
    document         paragraphs, tables and pictures, as Markdown
    results          runs to means, spreads, and verdicts on the paper's claims
    symptoms         signs that a training went wrong
    figures          the paper's figures, redrawn
    figure_files     figures as PNG and SVG
    captions         what each figure shows, and from how many
    report           the report on the runs
    webpage          a document as a web page
    explorer         a page in which the generator runs
Used throughout:
    arrays           arrays on disk, with a checksum
    checksum         whether a file is still what was written
    errors           what a person can cause and cure
    randomness       every random stream from one seed
    runtime          device, precision, threads
    writing          files whole or not at all
"""
