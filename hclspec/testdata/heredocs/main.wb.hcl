locals {
  word   = "w"
  spaced = "  s"
}
output "plain" {
  value = <<EOT
one
two
EOT
}
output "indented" {
  value = <<EOT
    one
    two
  EOT
}
output "more" {
  value = <<EOT
    one
      two
  EOT
}
output "interpolated" {
  value = <<EOT
    one
    ${local.word}
  EOT
}
output "blank_lines" {
  value = <<EOT
one

two

EOT
}
output "marker_in_text" {
  value = <<EOT
    not EOT
  EOT
}
output "empty" {
  value = <<EOT
EOT
}
output "escaped" {
  value = <<EOT
$${x} %%{y} \n "q"
EOT
}
output "if" {
  value = <<EOT
%{ if true }
yes
%{ endif }
end
EOT
}
output "if_trimmed" {
  value = <<EOT
%{ if true ~}
yes
%{ endif ~}
end
EOT
}
output "for_trimmed" {
  value = <<EOT
%{ for x in ["a", "b"] ~}
- ${x}
%{ endfor ~}
EOT
}
output "for" {
  value = <<EOT
%{ for x in ["a", "b"] }
- ${x}
%{ endfor }
EOT
}
output "flush_plain" {
  value = <<-EOT
one
two
EOT
}
output "flush" {
  value = <<-EOT
    one
    two
  EOT
}
output "flush_more" {
  value = <<-EOT
    one
      two
    three
  EOT
}
output "flush_less" {
  value = <<-EOT
    one
  two
    three
  EOT
}
output "flush_interpolated" {
  value = <<-EOT
    one
      ${local.word}
    two
  EOT
}
output "flush_interpolated_less" {
  value = <<-EOT
    one
  ${local.spaced}
    two
  EOT
}
output "flush_tabs" {
  value = <<-EOT
	one
  two
  EOT
}
output "flush_wide_space" {
  value = <<-EOT
     one
    two
  EOT
}
output "flush_blank" {
  value = <<-EOT
    one

    two
  EOT
}
output "flush_for" {
  value = <<-EOT
    %{ for x in ["a", "b"] ~}
    - ${x}
    %{ endfor ~}
  EOT
}
