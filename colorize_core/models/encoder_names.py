"""Names of the encoders that a model may have, in a module without Keras, since recipes are checked without Keras."""

# Networks of keras.applications that halve their maps exactly (Inception*, NASNet* and Xception do not), and
# EfficientNetLite0 and EfficientNetLite2, which are built here.
ENCODERS = (
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    *(f"DenseNet{layers}" for layers in (121, 169, 201)),
    *(f"EfficientNetB{size}" for size in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"),
    *(f"ResNet{layers}{version}" for version in ("", "V2") for layers in (50, 101, 152)),
    *("VGG16", "VGG19"),
    "EfficientNetLite0",
    "EfficientNetLite2",
)
