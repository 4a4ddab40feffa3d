"""Sign recognition with vision-language models: from clips to an adapter and numbers that can be published.

    from signvlm import SignRecognizer

    with SignRecognizer.from_pretrained("user/name") as recognizer:
        print(recognizer.rank("clip.mp4")[0].gloss)

Whatever a verb of the command line does, a function does too. It takes the configuration (`signvlm.config.load`) or a
section of it, returns a record, and prints nothing but notes and a progress bar on stderr; docs/python_api.md has an
example of each:

    download     data_engineering.download.download(config.data, config.download, config.model.prompt),
                 data_engineering.dry_run.dry_run(config.data, config.download)
    validate     data_engineering.validate.validate(config.data, config.download, config.validate_, config.preprocess,
                 config.model.prompt), data_engineering.validate.validate_files(paths, config.validate_,
                 config.preprocess)
    pose         data_engineering.pose.stage.pose(config.data, config.validate_, config.preprocess, program=HOLISTIC,
                 tell=print), data_engineering.pose.bring.bring(folder, config.data, config.validate_,
                 config.preprocess)
    preprocess   data_engineering.preprocess.preprocess(config.data, config.preprocess)
    train        signvlm.train.train(config), signvlm.inspection.inspect(config, 2)
    eval         signvlm.eval.evaluate_checkpoint(config, checkpoint)
    compare      signvlm.evaluation.compare.compare([run, other])
    fuse         signvlm.evaluation.fuse.fuse([run, other])
    predict      SignRecognizer, above
    merge        signvlm.vlm.merge.merge(config, checkpoint, out)
    export       signvlm.pose.export.export(config, checkpoint, out)
    push         signvlm.hub.push(bundle, "user/name"), signvlm.manifest.push_manifest(config.data, "user/name")
    keypoints    signvlm.keypoints.train.train(config), signvlm.keypoints.evaluate.evaluate(config, loaded,
                 part="held-out", out=out), signvlm.keypoints.export.export(loaded, path)
    demo         signvlm.demo.demo(out)
    synthesize   data_engineering.synthetic.dataset.render_dataset(recipe, root, index, workers=2)
    doctor       signvlm.doctor.doctor(config.data.root)
    completion   signvlm.verbs.shell.script("bash")

Importing this package imports none of the heavy libraries.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signvlm.api import SignRecognizer
    from signvlm.predict import Prediction, RankedGloss

__all__ = ["Prediction", "RankedGloss", "SignRecognizer"]


def __getattr__(name: str) -> Any:
    """Imports what is public when it is first used: torch and transformers take seconds."""
    if name == "SignRecognizer":
        from signvlm.api import SignRecognizer

        return SignRecognizer
    if name in __all__:
        import signvlm.predict

        return getattr(signvlm.predict, name)
    raise AttributeError(f"module 'signvlm' has no attribute {name!r}")
