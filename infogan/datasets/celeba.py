"""CelebA (Liu et al. 2015): faces of celebrities, with 40 attributes of each."""

from infogan.base.dataset import DataSet, attribute

# The attributes, in the order of their file.
CELEBA_ATTRIBUTES = tuple(
    attribute(name)
    for name in (
        *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs"),
        *("Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair"),
        *("Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair"),
        *("Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
        *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose"),
        *("Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair"),
        *("Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
        *("Wearing_Necklace", "Wearing_Necktie", "Young"),
    )
)

DATA_SET = DataSet(
    name="celeba",
    image_shape=(3, 32, 32),
    value_range=(-1.0, 1.0),
    factors=CELEBA_ATTRIBUTES,
    split_sizes={"train": 162_770, "test": 19_962},
    networks="celeba",
    reader="celeba",
    files={
        "img_align_celeba.zip": "00d2c5bc6d35e252742224ab0c1e8fcb",
        "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
        "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    },
    sources=("torchvision:CelebA",),
    figure=6,
)
